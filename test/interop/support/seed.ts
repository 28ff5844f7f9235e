import { until } from '../../support/until.js';
import type { Cluster } from './cluster.js';
import type { Peer } from './peer.js';

const PROBE_BYTES = 5_000_000;
/** Dragonfly's scheduler looks for seeds every 30 s. */
const SEED_FOUND_TIMEOUT_MS = 60_000;

/** Resolves when the scheduler has the seed download what `child` asks for. Leaves an origin of its own behind. */
export async function untilSeedIsTriggered(cluster: Cluster, seed: Peer, child: Peer): Promise<void> {
  await cluster.startOrigin(PROBE_BYTES);
  let probes = 0;
  await until(
    'the scheduler to trigger the seed',
    async () => {
      await cluster.download(child, { path: `/probe-${(probes += 1)}` });
      return (await seed.traffic()).fromOrigin > 0;
    },
    SEED_FOUND_TIMEOUT_MS,
  );
}
