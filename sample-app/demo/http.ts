/** A response of the gateway. */
export interface Answer {
  readonly status: number;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON of another program
  /** Duration in ms. */
  readonly ms: number;
}

/** One server-sent event. */
export interface ServerSentEvent {
  readonly type: string;
  readonly data: unknown;
}

export async function get(url: string): Promise<Answer> {
  return answerOf(() => fetch(url));
}

export async function post(url: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return answerOf(() => fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }));
}

async function answerOf(request: () => Promise<Response>): Promise<Answer> {
  const started = performance.now();
  const response = await request();
  const body: unknown = await response.json();
  return { status: response.status, body, ms: performance.now() - started };
}

/** Reads the events of a stream to its end. Resolves when the stream is open. */
export async function openStream(url: string, signal?: AbortSignal): Promise<AsyncIterable<ServerSentEvent>> {
  const response = await fetch(url, { ...(signal === undefined ? {} : { signal }) });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}.`);
  return eventsOf(response.body.pipeThrough(new TextDecoderStream()));
}

async function* eventsOf(text: AsyncIterable<string>): AsyncGenerator<ServerSentEvent> {
  let rest = '';
  for await (const chunk of text) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map(fieldOf));
      const data = fields.get('data');
      if (data !== undefined) yield { type: fields.get('event') ?? 'message', data: JSON.parse(data) };
    }
  }
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
