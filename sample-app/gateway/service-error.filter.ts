import { type ArgumentsHost, Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** What the failure of a request means to somebody who asked over HTTP. */
const statusOfCode: Readonly<Record<string, number>> = {
  NO_SUBSCRIBERS: 503,
  REQUEST_TIMEOUT: 504,
  PAYLOAD_TOO_LARGE: 413,
};

/**
 * Maps what a request to a service can fail with: an error of the transport by its `code`, which the answer repeats,
 * and an RpcException of the service by the `status` that it was given. All else is left to Nest.
 */
@Catch()
export class ServiceErrorFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    super.catch(error instanceof HttpException ? error : (asHttp(error) ?? error), host);
  }
}

function asHttp(error: unknown): HttpException | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, status, message } = error as { code?: unknown; status?: unknown; message?: unknown };
  const statusCode = typeof code === 'string' ? statusOfCode[code] : status;
  if (typeof statusCode !== 'number') return undefined;
  return new HttpException({ statusCode, ...(code === undefined ? {} : { code }), message }, statusCode);
}
