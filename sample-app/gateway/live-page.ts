/** The whole page, without a framework or external resources. */
export const livePage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The shop, live</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  main { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 2rem }
  button { font: inherit; padding: .4rem 1rem }
  ul { list-style: none; padding: 0 }
  li { border-top: 1px solid #8884; padding: .25rem 0 }
  code { opacity: .7 }
</style>
<h1>The shop, live</h1>
<p>
  <button id="order">Place an order</button>
  <button id="invoice">Ask a service that does not exist</button>
  <output id="answer"></output>
</p>
<main>
  <section><h2>Orders</h2><ul id="orders"></ul></section>
  <section><h2>Notifications</h2><ul id="notifications"></ul></section>
</main>
<script>
  const element = (id) => document.getElementById(id);
  const items = ['tea', 'bread', 'honey', 'apples', 'soap'];

  function add(list, ...parts) {
    const line = document.createElement('li');
    line.append(...parts);
    element(list).prepend(line);
    while (element(list).children.length > 50) element(list).lastChild.remove();
  }

  function code(text) {
    const node = document.createElement('code');
    node.textContent = text;
    return node;
  }

  async function ask(path, options) {
    const started = performance.now();
    const answer = await fetch(path, options);
    const { code: errorCode = '', id = '' } = await answer.json();
    const ms = Math.round(performance.now() - started);
    element('answer').textContent = [answer.status, id, errorCode, 'in', ms, 'ms'].join(' ');
  }

  element('order').onclick = () => ask('/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ item: items[Math.floor(Math.random() * items.length)], quantity: 1 }),
  });
  element('invoice').onclick = () => ask('/orders/any/invoice');

  const live = new EventSource('/live');
  live.addEventListener('order', ({ data }) => {
    const order = JSON.parse(data);
    const step = document.createElement('b');
    add('orders', code(order.id), ' ' + order.quantity + ' × ' + order.item + ' ', step);
    const progress = new EventSource('/orders/' + order.id + '/progress');
    progress.onmessage = (message) => (step.textContent = JSON.parse(message.data).step);
    // The stream ends when the order is shipped; an EventSource would start it again.
    progress.onerror = () => progress.close();
  });
  live.addEventListener('notification', ({ data }) => {
    const { event, pattern, orderId } = JSON.parse(data);
    add('notifications', code(orderId), ' ' + event + ' → handler of ', code(pattern));
  });
</script>
</html>
`;
