import type { ManualText } from './manual.js';

export const DFDAEMON_MANUAL: ManualText = {
  section: 8,
  summary: 'peer of a Dragonfly cluster',
  synopsis: ['dfdaemon [options] [command]'],
  description: [
    'dfdaemon downloads the pieces of files from other peers and from origins for dfget, and serves its pieces to others. An upload without a limit is sendfile(2) from the page cache; with one, a copy within a token bucket.',
    'It joins the schedulers of --scheduler, of the file of --dynconfig, or of the configuration; without any it runs one of its own. It stays in the foreground.',
  ],
  sections: [
    {
      title: 'Signals',
      items: [
        [
          'SIGTERM, SIGINT',
          'No new work; running transfers get 30 seconds; the schedulers are told; exit 0. A second one ends at once.',
        ],
        ['SIGHUP', 'The configuration is read again; limits take effect at once.'],
      ],
    },
    {
      title: 'Environment',
      items: [
        ['DFDAEMON_*', 'Every flag: DFDAEMON_CONFIG is --config. The flag wins.'],
        [
          'http_proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY',
          'As for curl, for what users of this machine download. What is asked for over the network never goes through a proxy.',
        ],
        [
          'SSL_CERT_FILE, NODE_EXTRA_CA_CERTS',
          "Files with the authorities that sign https origins: instead of the system's list, and beside it.",
        ],
        ['DFPEER_HOME', 'A directory for everything: configuration, socket, store, logs.'],
        ['DFPEER_PLACES', "system: the files below for a service that is not root's. user: a user's own for root."],
      ],
    },
    {
      title: 'Files',
      items: [
        [
          '/etc/dragonfly/dfdaemon.yaml',
          "Configuration, when it exists; a user's own is dfpeer/dfdaemon.yaml in ~/.config.",
        ],
        ['/var/run/dragonfly/dfdaemon.sock', 'The socket that dfget talks to.'],
        ['/var/lib/dragonfly', 'Stored pieces.'],
        ['/var/log/dragonfly/dfdaemon', 'Logs.'],
      ],
    },
  ],
  seeAlso: ['dfget(1)'],
};
