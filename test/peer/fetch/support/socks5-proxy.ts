import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface Socks5Behaviour {
  credentials?: { user: string; password: string };
  /** Of the answer to CONNECT. */
  refusal?: number;
  /** As which it names the address that it connected from. */
  bound?: readonly number[];
  /** Where it connects to, whatever was asked. */
  targetPort?: number;
}

/** A SOCKS5 proxy's side of one connection (RFC 1928), which notes what it was asked to connect to. */
export async function serveSocks5(client: Socket, asked: string[], behaviour: Socks5Behaviour): Promise<void> {
  const { credentials, refusal = 0, bound = [1, 127, 0, 0, 1], targetPort } = behaviour;
  const take = async (length: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const part = client.read(Math.min(missing, client.readableLength)) as Buffer | null;
      if (part === null) await once(client, 'readable');
      else missing -= parts[parts.push(part) - 1]?.length ?? 0;
    }
    return Buffer.concat(parts);
  };
  const takeText = async (): Promise<string> => String(await take((await take(1))[0] ?? 0));
  const [version, methodCount = 0] = await take(2);
  if (version !== 5) return void client.destroy();
  const methods = await take(methodCount);
  const method = credentials === undefined ? 0 : 2;
  if (!methods.includes(method)) return void client.end(Buffer.from([5, 255]));
  client.write(Buffer.from([5, method]));
  if (credentials !== undefined) {
    await take(1);
    const isRight = (await takeText()) === credentials.user && (await takeText()) === credentials.password;
    client.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) return void client.end();
  }
  const [, , , kind] = await take(4);
  const host = kind === 3 ? await takeText() : (await take(kind === 1 ? 4 : 16)).toString('hex');
  const port = (await take(2)).readUInt16BE();
  asked.push(`${kind} ${host} ${port}`);
  const reply = Buffer.from([5, refusal, 0, ...bound, 0, 0]);
  // Byte by byte, as a slow line may have it.
  for (const byte of reply) {
    client.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (refusal !== 0) return void client.end();
  const upstream = connect(targetPort ?? port, '127.0.0.1').on('error', () => client.destroy());
  client.on('close', () => upstream.destroy());
  upstream.pipe(client).pipe(upstream);
}
