/** Draws the charts of a page from its tables. */
import { drawAll } from "./lib/chart";

drawAll();
