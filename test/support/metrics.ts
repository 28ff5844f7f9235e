/** The samples at a Prometheus endpoint, one a line, comments left out. */
export async function scrape(url: string): Promise<string[]> {
  const response = await fetch(url);
  return (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** The sum of all samples of a metric whose labels include the given ones; 0 without any. */
export function sumSamples(samples: readonly string[], name: string, labels: Record<string, string>): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return samples
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
