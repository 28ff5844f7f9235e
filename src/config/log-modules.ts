/** What `log.levels` can name: the modules that loggers are made for. */
export const LOG_MODULES = [
  'admin',
  'download',
  'fetch',
  'gc',
  'grpc',
  'memory',
  'scheduler',
  'scheduler-client',
  'tracing',
  'upload',
] as const;

/** `upload.http` is part of `upload`. */
export function isLogModule(name: string): boolean {
  const [first = ''] = name.split('.');
  return (LOG_MODULES as readonly string[]).includes(first);
}
