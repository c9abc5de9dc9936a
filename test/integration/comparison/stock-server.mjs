// A server of stock Nest in a process of its own. Arguments: its Redis options as JSON, and the pattern it handles.
import { Logger } from '@nestjs/common';
import { ServerRedis } from '@nestjs/microservices';

const [, , options, pattern] = process.argv;
Logger.overrideLogger(false);
const server = new ServerRedis(JSON.parse(options));
server.addHandler(pattern, () => Promise.resolve(1));
await server.listen((error) => console.log(error ?? 'listening'));
