import { parseArgs } from 'node:util';
import { receiveSome } from './discarding-connection.js';
import { HttpConnection } from './http-connection.js';

/** Many clients that each read a little a second, until this process is killed. Prints a line when all have begun. */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string' },
    path: { type: 'string' },
    'range-bytes': { type: 'string' },
    'file-bytes': { type: 'string' },
    connections: { type: 'string' },
    'bytes-per-second': { type: 'string' },
  },
});
const target = {
  host: values.host,
  port: Number(values.port),
  path: values.path ?? '/',
  rangeBytes: Number(values['range-bytes']),
  fileBytes: Number(values['file-bytes']),
};
const buffer = Buffer.alloc(Number(values['bytes-per-second']));
const connections: HttpConnection[] = [];
for (let index = 0; index < Number(values.connections); index++) connections.push(await HttpConnection.open(target));
for (const connection of connections) connection.request();
setInterval(() => {
  for (const { fd } of connections) receiveSome(fd, buffer);
}, 1000);
process.stdout.write('begun\n');
