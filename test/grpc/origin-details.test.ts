import assert from 'node:assert/strict';
import { Metadata, status } from '@grpc/grpc-js';
import { OriginError } from '../../src/core/errors.js';
import { MAX_ORIGIN_DETAILS_BYTES } from '../../src/grpc/origin-details.js';
import { fromGrpcError, toGrpcError } from '../../src/grpc/status.js';

const DETAILS_HEADER = 'grpc-status-details-bin';

function detailsOf(error: OriginError): { status_code: number; header: Record<string, string> } {
  const [details] = toGrpcError(error).metadata.get(DETAILS_HEADER);
  assert.ok(Buffer.isBuffer(details));
  assert.ok(details.length <= MAX_ORIGIN_DETAILS_BYTES);
  return JSON.parse(details.toString()) as ReturnType<typeof detailsOf>;
}

describe('an origin’s refusal on its way through gRPC', () => {
  it('carries status and headers as Dragonfly’s dfget reads them, without cookies', () => {
    const headers = { 'x-why': 'told so', 'set-cookie': 'secret=1' };
    const details = detailsOf(new OriginError('DFP_ORIGIN_STATUS', 'no', { status: 403, headers }));
    assert.deepEqual(details, { message: 'no', header: { 'x-why': 'told so' }, status_code: 403 });
  });

  it('leaves out headers that don’t fit', () => {
    const headers = { a: 'x', b: 'x'.repeat(MAX_ORIGIN_DETAILS_BYTES) };
    const details = detailsOf(new OriginError('DFP_ORIGIN_STATUS', 'no', { status: 403, headers }));
    assert.deepEqual(details.header, { a: 'x' });
  });

  it('is understood from a daemon of Dragonfly', () => {
    const metadata = new Metadata();
    const backend = { message: 'client error', header: { 'x-why': 'told so' }, status_code: 403 };
    metadata.set(DETAILS_HEADER, Buffer.from(JSON.stringify(backend)));
    const thrown = Object.assign(new Error('x'), { code: status.INTERNAL, details: 'x', metadata });
    const error = fromGrpcError(thrown, 'DFP_TASK_FAILED', 'the daemon could not download it');
    assert.ok(error instanceof OriginError);
    assert.equal(error.code, 'DFP_ORIGIN_STATUS');
    assert.equal(error.status, 403);
    assert.deepEqual(error.headers, { 'x-why': 'told so' });
  });

  it('is told from other details', () => {
    for (const details of ['', 'no json', '[]', '{"message":1}']) {
      const metadata = new Metadata();
      metadata.set(DETAILS_HEADER, Buffer.from(details));
      const thrown = Object.assign(new Error('x'), { code: status.INTERNAL, details: 'x', metadata });
      assert.equal(fromGrpcError(thrown, 'DFP_TASK_FAILED', 'doing').code, 'DFP_TASK_FAILED');
    }
  });
});
