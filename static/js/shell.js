/** What every page needs: the theme, menus that close, times in the reader's zone, copy buttons, questions. */
import "./copy.js";
import "./dialog.js";
import "./menu.js";
import "./theme.js";
import "./times.js";
