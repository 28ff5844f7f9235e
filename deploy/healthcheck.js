// Exit 0 when the daemon on this machine says that it is healthy: HEALTHCHECK of the Dockerfile. Node's images have no curl.
import { get } from 'node:http';

const TIMEOUT_MS = 2500;
const port = Number(process.env.DFPEER_HEALTH_PORT ?? 4003);

const fail = (why) => {
  console.error(`127.0.0.1:${port}/healthy: ${why}`);
  process.exit(1);
};

get({ host: '127.0.0.1', port, path: '/healthy', timeout: TIMEOUT_MS }, ({ statusCode }) => {
  if (statusCode === 200) process.exit(0);
  fail(`status ${statusCode}`);
})
  .on('timeout', () => fail('no answer'))
  .on('error', (error) => fail(error.message));
