import { readDeployed } from './deploy-files.js';

interface Target {
  expr: string;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
}

export interface Dashboard {
  title: string;
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; definition?: string }[] };
}

export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readDeployed('grafana', 'dfpeer.json')) as Dashboard;
}

/** Each query with its variables filled in as Grafana would, for all nodes and the last minute. */
export function dashboardQueries({ panels }: Dashboard): { panel: string; expression: string }[] {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      panel: title,
      expression: expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1m').replaceAll('$instance', '.*'),
    })),
  );
}

/** Names of metrics in an expression; our recorded series have colons and are left out. */
export function metricNames(expression: string): string[] {
  const withoutTexts = expression.replaceAll(/"[^"]*"/g, '""');
  return [...withoutTexts.matchAll(/(?<![\w:])((?:dfpeer|dragonfly_client|process|nodejs)_\w+)(?![\w:(])/g)].map(
    ([, name = '']) => name,
  );
}
