/** The variables of `env` that have a value, of these names where some are given. */
export function definedVariables(
  env: Readonly<Record<string, string | undefined>>,
  names: readonly string[] = Object.keys(env),
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
