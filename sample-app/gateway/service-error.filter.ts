import { type ArgumentsHost, Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** The HTTP response to a failed request. */
const statusOfCode: Readonly<Record<string, number>> = {
  NO_SUBSCRIBERS: 503,
  REQUEST_TIMEOUT: 504,
  PAYLOAD_TOO_LARGE: 413,
};

/**
 * Maps the failures of a request to a service: an error of the transport by its `code`, which the response repeats,
 * and an RpcException of the service by its `status`. Other errors are left to Nest.
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
