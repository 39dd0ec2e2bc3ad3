/** What every page needs: the theme, menus that close, times in the reader's zone, copy buttons. */
import "./copy.js";
import "./menu.js";
import "./theme.js";
import "./times.js";
