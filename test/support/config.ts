/** A configuration file before it is written: deep enough for dfdaemon.yaml. */
export type Config = Record<string, unknown>;

/** `over` wins; mappings are merged, everything else is replaced. */
export function mergeConfig(base: Config, over: Config): Config {
  const merged: Config = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const known = merged[key];
    merged[key] = isConfig(known) && isConfig(value) ? mergeConfig(known, value) : value;
  }
  return merged;
}

function isConfig(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
