/** Writes to stdout and waits until it is out: the process may end right after. A reader that has gone is no error. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.once('error', () => resolve());
    process.stdout.write(text, () => resolve());
  });
}
