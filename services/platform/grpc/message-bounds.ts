/** Largest message in either direction. grpc's default of 4 MB is what other clients receive, so answers stay below. */
export const messageBytesMax = 8 * 1_024 * 1_024;
