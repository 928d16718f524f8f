/** What an answer can be seen as besides its table: a chart, a network. */

/** Add the views that fit an answer. */
export function addViews(_answer: HTMLElement, _query: string): void {}
