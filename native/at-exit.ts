const hooks = new Set<() => void>();

/** Runs `hook` when the process exits, until the returned function is called: one listener for all, as Node warns of more than ten. */
export function atExit(hook: () => void): () => void {
  if (hooks.size === 0) process.on('exit', runAll);
  hooks.add(hook);
  return () => {
    hooks.delete(hook);
    if (hooks.size === 0) process.removeListener('exit', runAll);
  };
}

function runAll(): void {
  for (const hook of hooks) hook();
}
