import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../core/errors.js';
import type { ListenOptions } from '../core/listen.js';
import type { ListenAddress } from './daemon-settings.js';
import { SmallHttpServer } from './small-http-server.js';

/** What one path answers; read-only. */
export type OperationsAnswer = () => Promise<{ contentType: string; body: string }>;

/** Read-only answers over HTTP: metrics on one port, health on another. @throws DfpeerError DFP_LISTEN */
export function startOperationsServer(
  listen: ListenAddress,
  answers: Readonly<Record<string, OperationsAnswer>>,
  options: ListenOptions,
): Promise<SmallHttpServer> {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(answers, request, response).catch(() => response.destroy());
  };
  return SmallHttpServer.start(listen, onRequest, options);
}

async function answer(
  answers: Readonly<Record<string, OperationsAnswer>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0] ?? '';
  const found = Object.hasOwn(answers, path) ? answers[path] : undefined;
  if (found === undefined)
    return void response
      .writeHead(404, { 'content-type': 'text/plain' })
      .end(`nothing here; try ${Object.keys(answers).join(' or ')}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  try {
    const { contentType, body } = await found();
    response
      .writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
      .end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`);
  }
}
