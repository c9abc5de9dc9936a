import { describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  type INestApplication,
  type INestMicroservice,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';
import { outcome } from '../../support/transports.js';

@Controller()
class PlainController {
  @Get('plain')
  plain(): string {
    return 'plain';
  }

  @MessagePattern('global.echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('global.fail')
  fail(): never {
    throw new Error('as told');
  }
}

/** Notes every kind of enhancer that was at work. */
class Witness implements CanActivate, NestInterceptor, PipeTransform {
  seen = new Set<string>();

  canActivate(host: ExecutionContext): boolean {
    this.seen.add(`guard of ${host.getType()}`);
    return true;
  }

  intercept(host: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.seen.add(`interceptor of ${host.getType()}`);
    return next.handle();
  }

  transform(value: unknown): unknown {
    this.seen.add('pipe');
    return value;
  }
}

@Catch()
class WitnessFilter implements ExceptionFilter {
  constructor(private readonly witness: Witness) {}

  catch(_error: unknown, host: ArgumentsHost): Observable<never> {
    this.witness.seen.add(`filter of ${host.getType()}`);
    return throwError(() => 'filtered');
  }
}

const apps = nestApps();

async function startWith(
  inheritAppConfig: boolean,
  pick: (app: INestApplication, microservices: INestMicroservice[]) => INestApplication | INestMicroservice,
): Promise<{ hybrid: HybridApp; witness: Witness }> {
  await apps.close();
  const witness = new Witness();
  const hybrid = await apps.start({
    controllers: [PlainController],
    inheritAppConfig,
    configure(app, microservices) {
      const target = pick(app, microservices);
      target.useGlobalGuards(witness);
      target.useGlobalInterceptors(witness);
      target.useGlobalPipes(witness);
      target.useGlobalFilters(new WitnessFilter(witness));
    },
  });
  return { hybrid, witness };
}

const OF_RPC = ['filter of rpc', 'guard of rpc', 'interceptor of rpc', 'pipe'];
const sorted = ({ seen }: Witness): string[] => [...seen].sort();

describe('what is global', () => {
  it('in the application applies to the handlers with inheritAppConfig', async () => {
    const { hybrid, witness } = await startWith(true, (app) => app);
    expect(await outcome(hybrid.client.send('global.echo', 1))).toEqual({ values: [1] });
    expect(await outcome(hybrid.client.send('global.fail', 1))).toEqual({ values: [], error: 'filtered' });
    expect(sorted(witness)).toEqual(OF_RPC);
  });

  it('in the application does not without it', async () => {
    const { hybrid, witness } = await startWith(false, (app) => app);
    expect(await outcome(hybrid.client.send('global.echo', 1))).toEqual({ values: [1] });
    const { error } = await outcome(hybrid.client.send('global.fail', 1));
    expect(error).toEqual({ status: 'error', message: 'Internal server error' });
    expect(sorted(witness)).toEqual([]);
  });

  it('in the connected microservice applies to the handlers, and not to HTTP', async () => {
    const { hybrid, witness } = await startWith(false, (_app, [microservice]) => microservice!);
    await http(hybrid).get('/plain').expect(200, 'plain');
    expect(sorted(witness)).toEqual([]);
    expect(await outcome(hybrid.client.send('global.echo', 1))).toEqual({ values: [1] });
    expect(await outcome(hybrid.client.send('global.fail', 1))).toEqual({ values: [], error: 'filtered' });
    expect(sorted(witness)).toEqual(OF_RPC);
  });
});
