/** What a customer asks for. */
export interface NewOrder {
  item: string;
  quantity: number;
}

export interface Order extends NewOrder {
  id: string;
}

export const steps = ['received', 'paid', 'packed', 'shipped'] as const;

/** One value of the stream that `order.progress` answers with. */
export interface Progress {
  id: string;
  step: (typeof steps)[number];
}
