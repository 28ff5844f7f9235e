import type { ManualText } from './manual.js';

export const DFGET_MANUAL: ManualText = {
  section: 1,
  summary: 'download files through the peers of a cluster',
  synopsis: ['dfget [options] URL', 'dfget [options] -i FILE'],
  description: [
    'dfget has the dfdaemon of this machine download an http or https URL: from other peers that have it or are downloading it, and otherwise from the origin. Where no daemon runs, one is started in the background; it keeps serving what it has on this machine, and ends by itself after five idle minutes.',
    "The output appears when it is complete and, with --digest, verified; otherwise there is none. A download that was interrupted goes on where it was when the same URL is asked for again, if the origin's ETag or Last-Modified is still the same; from an origin that sends neither it begins anew.",
    "With -i, each line of FILE is a URL, and after white space the name of its file where that is not to be the URL's own. Empty lines and those that begin with # are skipped. -O then names the directory.",
  ],
  sections: [
    {
      title: 'Exit status',
      items: [
        ['0', 'Done.'],
        ['1', 'A bug of dfpeer.'],
        ['2', "Usage: flags, files that are there already, a list or netrc file that can't be read."],
        ['3', 'The origin refused, answered wrongly, or could not be reached.'],
        ['4', 'A peer, scheduler or daemon could not help, or not in time.'],
        ['5', 'Reading or writing files failed.'],
        ['6', 'The content is not what its digest promised.'],
        ['129, 130, 143', 'Interrupted by SIGHUP, SIGINT, SIGTERM. A second one ends dfget at once.'],
      ],
      paragraphs: ['With -i the status is the highest of all downloads. A closed pipe after -O - is no failure.'],
    },
    {
      title: 'Environment',
      items: [
        ['DFGET_*', 'Every flag: DFGET_TAG is --tag. The flag wins.'],
        ['NETRC', 'The file of --netrc, instead of ~/.netrc.'],
        ['NO_COLOR', 'When set and not empty, progress has no colours.'],
        [
          'http_proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY',
          "As for curl. They are those of the daemon, which asks the origin; one that dfget starts has dfget's.",
        ],
        ['DFPEER_HOME', 'A directory for everything: socket, store, logs.'],
        ['DFPEER_ALIVE_TIME', 'How long a daemon that dfget starts stays without work, such as 30m.'],
      ],
    },
    {
      title: 'Examples',
      items: [
        ['dfget https://example.com/model.bin', 'Into model.bin.'],
        ['dfget https://example.com/list.gz -O - | zcat', 'To stdout, after it was verified.'],
        ['dfget -i urls.txt -O models -j 8', 'Many, eight at a time.'],
        ['dfget https://example.com/model.bin --json', 'One JSON line per event, for programs.'],
      ],
    },
  ],
  seeAlso: ['dfdaemon(8)', 'curl(1)'],
};
