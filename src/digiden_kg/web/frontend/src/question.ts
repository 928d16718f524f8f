/** The page of a question: answers at once, and draws what the question wants drawn. */
import { drawAll } from "./lib/chart";
import { live } from "./lib/live";

live("#question", () => drawAll());
