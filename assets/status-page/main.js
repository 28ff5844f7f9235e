/* global document, EventSource, fetch, setTimeout */
import { drawChart } from './chart.js';
import { byId, element, fill, setText } from './dom.js';
import { bytes, duration, rate } from './format.js';
import { showHosts, showLimits, showPorts, showSchedulers, showTransfers, showWarnings } from './tables.js';
import { showTasks } from './tasks.js';

const CHARTS = [
  { name: 'out', series: { sendfile: 'sendfile', copy: 'copy', paced: 'paced' } },
  { name: 'in', series: { parent: 'from peers', origin: 'from origins' } },
];
const MAX_HISTORY = 120;
const RETRY_MS = 3000;

const history = [];
let isPaused = false;
let isConnected = false;
let latest;

function show(snapshot) {
  const { daemon, transfers, tasks, peers, limits, warnings } = snapshot;
  document.title = `dfpeer – ${daemon.hostId}`;
  setText(byId('host'), daemon.hostId);
  const facts = [
    `dfpeer ${daemon.version}`,
    `process ${daemon.pid}`,
    `up ${duration(daemon.nowMs - daemon.startedAtMs)}`,
  ];
  setText(byId('facts'), [...facts, `${bytes(daemon.storedBytes)} stored`].join(' · '));
  for (const chart of CHARTS) showChart(chart);
  showTransfers(transfers);
  showTasks(tasks, daemon.storedBytes, daemon.nowMs);
  showHosts(peers, daemon.nowMs);
  showLimits(limits);
  showSchedulers(daemon.schedulers);
  showPorts(daemon.ports);
  showWarnings(warnings);
}

function showChart({ name, series }) {
  const names = Object.keys(series);
  const now = history.at(-1) ?? {};
  const peak = drawChart(byId(`${name}-chart`), history, names);
  const total = names.reduce((sum, each) => sum + (now[each] ?? 0), 0);
  setText(byId(`${name}-rate`), rate(total));
  setText(byId(`${name}-scale`), `the top is ${rate(peak)}`);
  fill(
    byId(`${name}-legend`),
    names,
    () => element('li'),
    (item, each) => {
      item.className = each;
      setText(item, `${series[each]} ${rate(now[each] ?? 0)}`);
    },
  );
}

function showConnection() {
  const node = byId('connection');
  node.dataset.state = isConnected ? 'live' : 'lost';
  const live = isPaused ? 'paused' : 'live';
  setText(node, isConnected ? live : 'connection lost, trying again');
}

function onEvent({ data }) {
  latest = JSON.parse(data);
  history.push(latest.throughput);
  if (history.length > MAX_HISTORY) history.shift();
  isConnected = true;
  showConnection();
  if (!isPaused) show(latest);
}

/** What was missed is in the daemon's own history; without it the charts go on from here. */
async function loadHistory() {
  try {
    const past = await (await fetch('api/history')).json();
    history.splice(0, history.length, ...past);
  } catch {
    // The stream tells that the connection is lost.
  }
}

/** The browser connects again by itself, except after an answer that is no stream. */
function follow() {
  const source = new EventSource('api/events');
  source.addEventListener('message', onEvent);
  source.addEventListener('open', () => void loadHistory());
  source.addEventListener('error', () => {
    isConnected = false;
    showConnection();
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

byId('pause').addEventListener('click', ({ currentTarget }) => {
  isPaused = !isPaused;
  currentTarget.setAttribute('aria-pressed', String(isPaused));
  showConnection();
  if (!isPaused && latest !== undefined) show(latest);
});

follow();
