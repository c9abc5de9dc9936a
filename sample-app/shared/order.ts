/** The request of a customer. */
export interface NewOrder {
  item: string;
  quantity: number;
}

export interface Order extends NewOrder {
  id: string;
}

export const steps = ['received', 'paid', 'packed', 'shipped'] as const;

/** One value of the stream of `order.progress`. */
export interface Progress {
  id: string;
  step: (typeof steps)[number];
}
