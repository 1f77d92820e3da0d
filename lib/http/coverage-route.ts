// `GET /coverage`: where events may be missing, or have come twice, as JSON. What is asked and what is told is
// lib/wire/coverage-page.ts's.

import { type CoveredLog, coveragePage, isCoverageFault, readCoverageQuery } from '../wire/coverage-page.ts';
import { respondJson, whenItsTurn } from './respond.ts';
import { allowGetAndHead, queryOf, type Route } from './routes.ts';
import type { SessionSet } from './session-set.ts';

/** @param sessions counts what is refused. */
export function coverageRoute(log: CoveredLog, sessions: SessionSet, nowUs: () => number): Route {
  return {
    path: '/coverage',
    allow: allowGetAndHead,
    handle(request, response) {
      whenItsTurn(response, () => {
        const asked = readCoverageQuery(queryOf(request.url ?? ''), nowUs());
        response.setHeader('Cache-Control', 'no-store');
        if (isCoverageFault(asked)) sessions.refuse(response, asked);
        else respondJson(response, 200, coveragePage(log, asked));
      });
    },
  };
}
