import { ThreadedPieceFetcher } from '../../../../src/peer/fetch/threaded-piece-fetcher.js';
import { Servers, StoreFile } from './fixtures.js';

/** Closed after each test: call inside describe(). */
export function useServers(): Servers {
  const servers = new Servers();
  afterEach(() => servers.close());
  return servers;
}

/** A new one for each test. */
export function useStoreFile(): () => StoreFile {
  let file: StoreFile;
  beforeEach(() => (file = new StoreFile()));
  afterEach(() => file.clean());
  return () => file;
}

/** One for all tests: a thread takes its time to start. */
export function useFetcher(): () => ThreadedPieceFetcher {
  let fetcher: ThreadedPieceFetcher;
  before(() => (fetcher = new ThreadedPieceFetcher({ threads: 1 })));
  after(() => fetcher.close());
  return () => fetcher;
}
