import type { Config, TopLevelSpec } from 'vega-lite';
import { EdgeError } from './errors.ts';

/** A figure as data: a Vega-Lite specification. */
export type Figure = TopLevelSpec;

/** What all figures share. */
const THEME: Config = {
  background: 'white',
  font: 'sans-serif',
  mark: { color: '#0072b2' },
  view: { stroke: '#ddd' },
  axis: { gridColor: '#eee', domainColor: '#999', tickColor: '#999', labelColor: '#333', titleColor: '#333' },
  title: { anchor: 'start', fontSize: 13 },
  // Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
  range: { category: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#f0e442'] },
};

/**
 * Draws a figure as an SVG document.
 * @throws EdgeError `figuresMissing` where the optional packages that draw are not installed
 */
export async function drawFigure(figure: Figure): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]).catch((error: unknown) => {
    throw new EdgeError(
      'figuresMissing',
      'figures need the packages vega and vega-lite, which are not installed here',
      'install with `npm ci --include=optional`, or draw on another machine',
      { cause: error },
    );
  });
  const { spec } = vegaLite.compile(figure, { config: THEME });
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
