import { silentLogger } from '../../src/core/logger.js';
import { fetchThrough, startPeer } from './peer.js';

/** The program that is killed: a whole daemon, one download, and a clean end if it gets that far. */
const [directory = '', url = '', output = ''] = process.argv.slice(2);
const peer = await startPeer(directory, silentLogger);
await fetchThrough(directory, url, output);
await peer.stop();
process.exit(0);
