/** Header of every answer: the server's version. Clients of any language may read it; agentctl's `version` does. */
export const versionHeader = "agentd-version";
