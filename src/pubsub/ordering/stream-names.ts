import { spells } from '../../util/bytes.js';

/** How many names are remembered, each in the one place that its bytes lead to. */
const PLACES = 256;

/**
 * Names of streams as they stand in stamps. The same few come again and again: to compare bytes is cheaper than to make
 * another string of them, and one that was made before is found faster in a map.
 */
export class StreamNames {
  readonly #names = new Array<string | undefined>(PLACES);

  at(data: Buffer, start: number, end: number): string {
    const mixed = (data[start] ?? 0) + 31 * (data[start + 1] ?? 0) + 7 * (data[end - 1] ?? 0);
    const place = mixed % PLACES;
    const known = this.#names[place];
    if (known !== undefined && spells(data, start, end, known)) {
      return known;
    }
    const name = data.toString('latin1', start, end);
    this.#names[place] = name;
    return name;
  }
}
