import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseRangeHeader } from '../../src/core/byte-range.js';

/** The plain Node way to serve ranges: node read-stream.js FILE; prints its port. */
const [file = ''] = process.argv.slice(2);
const size = statSync(file).size;
const server = createServer((request, response) => {
  const parsed = parseRangeHeader(request.headers.range, size);
  const { offset, length } = parsed.kind === 'range' ? parsed.range : { offset: 0, length: size };
  response.writeHead(206, {
    'content-length': length,
    'content-range': `bytes ${offset}-${offset + length - 1}/${size}`,
  });
  createReadStream(file, { start: offset, end: offset + length - 1, highWaterMark: 1024 * 1024 }).pipe(response);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
