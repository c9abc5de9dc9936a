import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { CommandWriter } from '../../../../src/pubsub/resp/command-writer.js';

describe('CommandWriter', () => {
  it('writes a command as an array of bulk strings', async () => {
    const { socket, written } = recorder();
    new CommandWriter(socket).write(['PUBLISH', 'news', 'hello']);
    await endOfTick();
    expect(Buffer.concat(written).toString()).toBe('*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$5\r\nhello\r\n');
  });

  it('writes lengths in bytes, not in characters', async () => {
    const { socket, written } = recorder();
    new CommandWriter(socket).write(['ECHO', 'žluťoučký 🐎']);
    await endOfTick();
    expect(Buffer.concat(written).toString()).toBe('*2\r\n$4\r\nECHO\r\n$18\r\nžluťoučký 🐎\r\n');
  });

  it('sends a lone surrogate as the three bytes it announces', async () => {
    const { socket, written } = recorder();
    new CommandWriter(socket).write(['a\ud800']);
    await endOfTick();
    expect(Buffer.concat(written)).toEqual(Buffer.from('*1\r\n$4\r\na\ufffd\r\n'));
  });

  it('writes the length of long text in bytes, with as many digits as it takes', async () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    const texts = [257, 300, 333, 334, 400, 500, 999, 1_000, 3_333, 3_334, 70_000].flatMap((length) =>
      ['x', 'é', '漢', '🙂', '\ud800', 'x漢'].map((unit) => unit.repeat(length).slice(0, length)),
    );
    for (const text of texts) {
      writer.write(['PING']);
      writer.write(['ECHO', text]);
    }
    await endOfTick();
    const expected = texts.map(
      (text) => `*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$${String(Buffer.byteLength(text))}\r\n${text}\r\n`,
    );
    expect(Buffer.concat(written).equals(Buffer.from(expected.join('')))).toBe(true);
  });

  it('keeps the order of short and long text, bytes and names that are not ASCII', async () => {
    const { socket, written, batches } = recorder();
    const writer = new CommandWriter(socket);
    const long = 'ž'.repeat(500);
    writer.write(['A', 'short']);
    writer.write(['B', long]);
    writer.write(['žluť', 'short']);
    writer.write(['C', Buffer.from([0xff])]);
    writer.write([Buffer.from([0xfe]), long]);
    writer.write(['D']);
    await endOfTick();
    expect(Buffer.concat(written)).toEqual(
      Buffer.concat([
        Buffer.from(`*2\r\n$1\r\nA\r\n$5\r\nshort\r\n*2\r\n$1\r\nB\r\n$1000\r\n${long}\r\n`),
        Buffer.from('*2\r\n$6\r\nžluť\r\n$5\r\nshort\r\n*2\r\n$1\r\nC\r\n$1\r\n'),
        Buffer.from([0xff]),
        Buffer.from('\r\n*2\r\n$1\r\n'),
        Buffer.from([0xfe]),
        Buffer.from(`\r\n$1000\r\n${long}\r\n*1\r\n$1\r\nD\r\n`),
      ]),
    );
    expect(batches()).toBe(1);
  });

  it('does not write again to bytes that the socket may still hold', async () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    const commands = Array.from({ length: 200 }, (_, index) => `${String(index)} ${'é'.repeat(600)}`);
    for (const text of commands) {
      writer.write([text]);
      writer.flush();
    }
    expect(Buffer.concat(written).toString()).toBe(
      commands.map((text) => `*1\r\n$${String(Buffer.byteLength(text))}\r\n${text}\r\n`).join(''),
    );
  });

  it('sends all text through a socket whose other end reads slowly', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [other] = (await once(server, 'connection')) as [Socket];
    const writer = new CommandWriter(socket);
    const texts = Array.from({ length: 4_000 }, (_, index) => `${String(index)} ${'é'.repeat(index)}`);
    for (const text of texts) {
      writer.write([text]);
      writer.flush();
      if (Number.parseInt(text) % 500 === 0) await endOfTick();
    }
    expect(socket.writableLength).toBeGreaterThan(0);
    socket.end();
    const chunks: Buffer[] = [];
    for await (const chunk of other) chunks.push(chunk as Buffer);
    server.close();
    const expected = texts.map((text) => `*1\r\n$${String(Buffer.byteLength(text))}\r\n${text}\r\n`);
    expect(Buffer.concat(chunks).equals(Buffer.from(expected.join('')))).toBe(true);
  });

  it('sends bytes as they are, between text in any order', async () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a]);
    writer.write(['SET', bytes, 'text']);
    writer.write([bytes, new Uint8Array([1, 2])]);
    writer.write(['', Buffer.alloc(0)]);
    await endOfTick();
    expect(Buffer.concat(written).toString('latin1')).toBe(
      '*3\r\n$3\r\nSET\r\n$4\r\n\xff\x00\r\n\r\n$4\r\ntext\r\n' +
        '*2\r\n$4\r\n\xff\x00\r\n\r\n$2\r\n\x01\x02\r\n' +
        '*2\r\n$0\r\n\r\n$0\r\n\r\n',
    );
  });

  it('passes all text commands of a tick to the socket in one write', async () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    for (let index = 0; index < 1_000; index += 1) writer.write(['PUBLISH', 'c', String(index)]);
    expect(written).toHaveLength(0);
    await endOfTick();
    expect(written).toHaveLength(1);
    writer.write(['PING']);
    await endOfTick();
    expect(written).toHaveLength(2);
  });

  it('passes commands with bytes to the socket in one go too', async () => {
    const { socket, batches } = recorder();
    const writer = new CommandWriter(socket);
    for (let index = 0; index < 100; index += 1) writer.write(['PUBLISH', 'c', Buffer.from([index])]);
    await endOfTick();
    expect(batches()).toBe(1);
  });

  it('does not gather more text than a string can hold', async () => {
    let bytes = 0;
    const socket = new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        bytes += chunk.length;
        done();
      },
    });
    const writer = new CommandWriter(socket);
    const large = 'x'.repeat(1 << 20);
    for (let index = 0; index < 600; index += 1) writer.write(['PUBLISH', 'c', large]);
    await endOfTick();
    expect(bytes).toBe(600 * `*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1048576\r\n${large}\r\n`.length);
  });

  it('writes nothing to a socket that has ended', async () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    writer.write(['PING']);
    socket.destroy();
    await endOfTick();
    expect(written).toEqual([]);
  });

  it('flushes at once when asked to', () => {
    const { socket, written } = recorder();
    const writer = new CommandWriter(socket);
    writer.write(['QUIT']);
    writer.flush();
    expect(Buffer.concat(written).toString()).toBe('*1\r\n$4\r\nQUIT\r\n');
  });
});

/** A socket that notes what it is given, and in how many batches it went on to the system. */
function recorder() {
  const written: Buffer[] = [];
  let batches = 0;
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      batches += 1;
      written.push(chunk);
      done();
    },
    writev(chunks, done) {
      batches += 1;
      written.push(...chunks.map(({ chunk }) => chunk as Buffer));
      done();
    },
  });
  return { socket, written, batches: () => batches };
}

function endOfTick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
