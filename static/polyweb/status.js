/* Pages without live figures of their own: the header and the engine's summary. */

import { connect } from "./shell.js";

connect();
