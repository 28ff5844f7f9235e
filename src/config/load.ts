import { checkDocument } from './check-document.js';
import { withPresentNames } from './former-names.js';
import { specAt } from './key-spec.js';
import { DAEMON_SCHEMA, type FileConfig } from './schema.js';
import { findIneffectiveKeys, type IneffectiveKeys } from './unknown-keys.js';
import { parseYaml } from './yaml-document.js';

export interface LoadedConfig {
  config: FileConfig;
  ineffective: IneffectiveKeys;
}

/** @throws ConfigError naming file, line, column, key, what was expected and what was found: everything at once */
export function parseDaemonConfig(text: string, file: string): LoadedConfig {
  const document = withPresentNames(parseYaml(text, file), DAEMON_SCHEMA);
  const config = checkDocument(document, DAEMON_SCHEMA.schema, (path) => {
    const spec = specAt(DAEMON_SCHEMA, path);
    return spec?.type === 'key' ? spec.expects : 'a mapping of keys';
  });
  return { config, ineffective: findIneffectiveKeys(document.value, DAEMON_SCHEMA) };
}
