/** A number of ASCII characters, or an order: {@link order}. */
export type Payload = number | 'order';

/**
 * A typical payload: some 900 bytes of nested JSON. Its names and notes are not all Latin-1, so it is a two-byte string in
 * memory, and has more bytes on the wire than characters.
 */
const order = {
  id: 'ord_01HV6ZK3M9',
  placedAt: '2026-11-21T09:30:12.481Z',
  customer: {
    id: 48_213,
    name: 'Ελένη Παπαδοπούλου',
    email: 'eleni@example.com',
    address: { street: 'Οδός Ερμού 17', city: 'Αθήνα', zip: '10563', country: 'GR' },
    tags: ['returning', 'newsletter'],
  },
  items: [
    { sku: 'TEA-0042', name: '抹茶 (宇治)', quantity: 2, price: 24.5, tax: 0.13, gift: false },
    { sku: 'CUP-0107', name: 'Tasse "Zürich"', quantity: 1, price: 18, tax: 0.24, gift: true },
    { sku: 'POT-0311', name: 'Gusseiserne Kanne', quantity: 1, price: 79.9, tax: 0.24, gift: false },
  ],
  shipping: { method: 'courier', price: 6.9, slot: { from: '2026-11-23T08:00Z', to: '2026-11-23T12:00Z' } },
  payment: { method: 'card', last4: '4242', captured: true, currency: 'EUR', total: 153.8 },
  note: 'Please ring twice 🙂 — line 1\nline 2: "left of the door"',
  meta: { source: 'web', locale: 'el-GR', retries: 0, trace: null, ratio: 0.333_333 },
};

/** The same object for each message: what is made of it, at both ends, is made anew. */
export function dataOf(payload: Payload): unknown {
  return typeof payload === 'number' ? 'x'.repeat(payload) : order;
}

/** Its length on the wire, without an envelope. */
export function bytesOf(payload: Payload): number {
  return typeof payload === 'number' ? payload : Buffer.byteLength(JSON.stringify(order));
}
