// SPDX-License-Identifier: ISC
// Generate GraphQL documents: by the grammar, with some unusual or invalid parts,
// and by mutation. The same seed gives the same documents.

// Mulberry32, a small random number generator.
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NAMES = ["a", "b", "login", "_x1", "A", "query", "mutation", "on",
  "fragment", "true", "false", "null", "type", "email", "F", "G",
  "subscription", "__typename", "input"];
const FRAGMENTS = ["F", "G", "H", "onX", "true"];
const INTS = ["0", "-0", "1", "-12", "42", "9007199254740993",
  "123456789012345678901234567890"];
const FLOATS = ["0.0", "1.5", "-1.25e10", "1E5", "1e+05", "2e-3", "0e0"];
const STRINGS = ["", "x", "a b", "\\n", "\\\"", "\\\\", "\\/", "\\b\\f\\r\\t",
  "\\u0041", "\\u00e9", "\\u0000", "\\uD83D\\uDE00", "\u00e9", "\u{1F600}",
  "\t", "\u007f", "\u0085", "\u2028", "\ufeff", "#", "{a}", "...", "$x"];
const ODD_STRINGS = ["\\uD83D", "\\uDE00", "\\u{41}", "\\x41", "\\u12",
  "\u0007", "\0", "\n", "\r", "\ud83d"];
const BLOCKS = ["", "x", " x ", "\n  x\n   y\n", "\r\n\tx\r\n\t\ty\r\n", "\n\n",
  " \n x \n ", "x\n\n\n  y", "\u00e9\n \u{1F600}", "#", "\n  a\n      \n  b\n",
  "\u0085\n  x", "\n  \u2028x\n y", "\n \u2003x\n y", "\n\ta\n  b"];
const ODD_BLOCKS = ["\"x", "x\"y\"z", "\\\"\"\"", "\\n", "a\rb", "\r", "\u000b",
  "\0", "\u0001"];
const ODD_SPACE = ["\r", "\u000b", "\f", "\0", "\u0007", "\u007f", "\u0085",
  "\u2028", "\u2029", "\ufeff", "\u00a0", "\u2003", "#\u2028\n", "#\u0085\n",
  "#x\ry\n", "#\0\n", "#\u007f\n", "#\ufeff\n", "#\u0001\n"];

// What mutations insert.
const PIECES = ["{", "}", "(", ")", "[", "]", ":", "!", "$", "@", "=", "|", "&",
  "?", "...", "..", ".", ",", " ", "\n", "\r\n", "#", "\"", "\"\"\"", "\\", "-",
  "0", "1", "1.5", "00", "-01", "e", "a", "on", "query ", "fragment ", "{a}", "{}", "()",
  "a:1", "$a", "$a:Int", "null", "\"x\"", "\"\"\"x\"\"\"", "...F", "...on T",
  "fragment F on T{a}", "\"d\"", ...ODD_SPACE, ...ODD_STRINGS, ...STRINGS];

export class Generator {
  constructor(random) {
    this.random = random;
    this.oddness = 0; // the probability of an unusual part
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  chance(p) {
    return this.random() < p;
  }

  odd() {
    return this.chance(this.oddness);
  }

  // Ignored characters between two tokens.
  space() {
    if (this.odd()) return this.pick(ODD_SPACE);
    const r = this.random();
    if (r < 0.55) return "";
    if (r < 0.8) return " ";
    return this.pick([",", "\n", "\r\n", "\t", " , ", "\n  ", "#c\n",
      "# \u00e9\u{1F600} \"\\\r\n", "\n\n"]);
  }

  // The same, not empty: between two tokens that need a separator.
  gap() {
    return this.pick([" ", ",", "\n", "\t", " \r\n", "#\n"]) + this.space();
  }

  name() {
    return this.pick(NAMES);
  }

  many(p, make) {
    const made = [];
    while (made.length < 6 && this.chance(p)) made.push(make(made.length));
    return made;
  }

  // A name that is not in this set, unless the part is to be unusual.
  fresh(used, names = NAMES) {
    for (let i = 0; i < 8; i++) {
      const name = this.pick(names);
      if (!used.has(name) || this.odd()) {
        used.add(name);
        return name;
      }
    }
    const name = `n${used.size}`;
    used.add(name);
    return name;
  }

  string() {
    let text = "";
    for (const piece of this.many(0.6, () =>
      this.odd() ? this.pick(ODD_STRINGS) : this.pick(STRINGS))) text += piece;
    return `"${text}"`;
  }

  block() {
    const text = this.odd() ? this.pick(ODD_BLOCKS) : this.pick(BLOCKS);
    return `"""${text}"""`;
  }

  value(depth, isConst, isInList) {
    const r = this.random();
    if (r < 0.15 && !isConst) return `$${this.odd() ? this.space() : ""}${this.name()}`;
    if (r < 0.3) return this.pick(INTS) + (this.odd() ? this.pick(["a", ".", "01", "x:1"]) : "");
    if (r < 0.4) return this.pick(FLOATS) + (this.odd() ? this.pick(["e", ".", "...", "_"]) : "");
    if (r < 0.55) return this.string();
    if (r < 0.62 && (!isInList || this.odd())) return this.block();
    if (r < 0.75) return this.name();
    if (depth > 3) return "null";
    if (r < 0.88) {
      return `[${this.space()}${this.many(0.6, () =>
        this.value(depth + 1, isConst, true)).join(this.gap())}${this.space()}]`;
    }
    const used = new Set();
    return `{${this.space()}${this.many(0.6, () => this.fresh(used) +
      `${this.space()}:${this.space()}${this.value(depth + 1, isConst, false)}`)
      .join(this.gap())}${this.space()}}`;
  }

  args(isConst) {
    const used = new Set();
    const list = this.many(0.6, () => this.fresh(used) +
      `${this.space()}:${this.space()}${this.value(0, isConst, false)}`);
    if (list.length === 0 && !this.odd()) return "";
    return `(${this.space()}${list.join(this.gap())}${this.space()})`;
  }

  directives(isConst) {
    return this.many(0.15, () => this.space() + "@" + this.name() +
      (this.chance(0.5) ? this.args(isConst) : "")).join("");
  }

  selection(depth) {
    const r = this.random();
    if (r < 0.1) {
      const on = this.chance(0.7) ? `${this.space()}on ${this.name()}` : "";
      return `...${on}${this.directives(false)}${this.space()}${this.set(depth + 1)}`;
    }
    if (r < 0.2) {
      const name = this.odd() ? this.name() : this.pick(this.fragments.length > 0
        ? this.fragments : ["__typename"]);
      if (this.fragments.length === 0 && !this.odd()) return name;
      this.spread.push(name);
      return `...${this.space()}${name}${this.odd() ? "(a:1)" : ""}${this.directives(false)}`;
    }
    const alias = this.chance(0.2) ? `${this.name()}${this.space()}:${this.space()}` : "";
    const mark = this.odd() ? this.pick(["!", "?", "[!]"]) : "";
    const below = depth < 4 && this.chance(0.3) ? this.space() + this.set(depth + 1) : "";
    return alias + this.name() + (this.chance(0.3) ? this.space() + this.args(false) : "") +
      mark + this.directives(false) + below;
  }

  set(depth) {
    if (this.odd()) return "{}";
    const list = [this.selection(depth), ...this.many(0.5, () => this.selection(depth))];
    return `{${this.space()}${list.join(this.gap())}${this.space()}}`;
  }

  type() {
    let text = this.name();
    for (const wrap of this.many(0.3, () => this.chance(0.5))) {
      if (wrap) text = `[${this.space()}${text}${this.space()}]`;
      if (this.chance(0.5) && !text.endsWith("!")) text += "!";
    }
    return text;
  }

  description() {
    return this.chance(0.5) ? this.string() : this.block();
  }

  variables() {
    const used = new Set();
    const list = this.many(0.6, () => (this.chance(0.15) ? this.description() + this.space() : "") +
      `$${this.fresh(used)}${this.space()}:${this.space()}${this.type()}` +
      (this.chance(0.4) ? `${this.space()}=${this.space()}${this.value(0, !this.odd(), false)}` : "") +
      (this.chance(0.1) ? this.directives(true) : ""));
    if (list.length === 0 && !this.odd()) return "";
    return `(${this.space()}${list.join(this.gap())}${this.space()})`;
  }

  operation(name) {
    const kind = this.pick(["query", "query", "mutation", "subscription"]);
    const described = this.chance(0.1) ? this.description() + this.space() : "";
    if (name === null && described === "" && this.chance(0.6)) return this.set(0);
    return described + kind + (name === null ? "" : this.gap() + name) + this.space() +
      this.variables() + this.directives(false) + this.space() + this.set(0);
  }

  fragment(name) {
    const described = this.chance(0.1) ? this.description() + this.space() : "";
    return `${described}fragment${this.gap()}${this.odd() ? "on" : name}` +
      `${this.odd() ? "($a:Int=1)" : ""}${this.gap()}on${this.gap()}${this.name()}` +
      `${this.directives(false)}${this.space()}${this.set(1)}`;
  }

  typeDefinition() {
    return this.pick(["type A{a:Int}", "schema{query:Q}", "scalar S", "enum E{A B}",
      "extend type A{a:Int}", "directive @a on FIELD", "input I{a:Int=1}",
      "interface I{a:Int}", "union U=A|B", "\"d\" type A{a:Int}"]);
  }

  // Generate a document by the grammar.
  document(oddness) {
    this.oddness = oddness;
    this.fragments = [];
    this.spread = [];
    const definitions = [];
    // A fragment spreads only fragments that are generated before it.
    const names = FRAGMENTS.slice(0, this.chance(0.4) ? 1 + this.below(4) : 0);
    for (const name of names) {
      definitions.push(this.fragment(name));
      this.fragments.push(name);
    }
    if (this.chance(0.8)) {
      definitions.push(this.operation(this.chance(0.5) ? null : this.name()));
    } else {
      const used = new Set();
      for (let i = 0; i <= this.below(3); i++) {
        definitions.push(this.operation(this.odd() ? null : this.fresh(used)));
      }
    }
    if (this.odd()) definitions.push(this.typeDefinition());
    if (this.odd()) definitions.push(this.fragment(this.pick(FRAGMENTS)));
    if (this.odd()) definitions.shift();
    for (let i = definitions.length - 1; i > 0; i--) {
      const k = this.below(i + 1);
      [definitions[i], definitions[k]] = [definitions[k], definitions[i]];
    }
    const bom = this.chance(0.03) ? "\ufeff" : "";
    return bom + this.space() + definitions.join(this.chance(0.5) ? this.gap() : "") + this.space();
  }

  // Return the document after a few changes.
  mutate(text, other) {
    for (let i = 1 + this.below(3); i > 0; i--) {
      const at = this.below(text.length + 1);
      const len = this.chance(0.7) ? 1 : this.below(12);
      switch (this.below(6)) {
        case 0: // remove a part
          text = text.slice(0, at) + text.slice(at + len);
          break;
        case 1: // replace a part
          text = text.slice(0, at) + this.pick(PIECES) + text.slice(at + len);
          break;
        case 2: // repeat a part
          text = text.slice(0, at + len) + text.slice(at);
          break;
        case 3: { // move a part
          const moved = text.slice(at, at + len);
          const rest = text.slice(0, at) + text.slice(at + len);
          const to = this.below(rest.length + 1);
          text = rest.slice(0, to) + moved + rest.slice(to);
          break;
        }
        case 4: { // append a part of another document
          const from = this.below(other.length + 1);
          text = text.slice(0, at) + other.slice(from, from + 40) + text.slice(at);
          break;
        }
        default: // insert a piece
          text = text.slice(0, at) + this.pick(PIECES) + text.slice(at);
      }
    }
    return text;
  }
}
