import { expect, test } from "vitest";
import { selectNodes } from "../../src/inventory/select.ts";
import { errorOf, fleetOf, rest, withNodes } from "./files.ts";

const fleet = fleetOf(
  `${withNodes("{ web1: a, web2: b, web10: c }")}  api:\n    nodes: { api1: d, x.y: e }\n${rest}`,
);
const select = (...words: string[]): string[] => selectNodes(fleet, words).map(({ name }) => name);

test("without a word every node is meant", () => {
  expect(select()).toEqual(["web1", "web2", "web10", "api1", "x.y"]);
});

test.each([
  [["web1"], ["web1"]],
  [["web*"], ["web1", "web2", "web10"]],
  [["web?"], ["web1", "web2"]],
  [["*1"], ["web1", "api1"]],
  [["*"], ["web1", "web2", "web10", "api1", "x.y"]],
  [["w*b*0"], ["web10"]],
  [["w**1*"], ["web1", "web10"]],
  [["?.?"], ["x.y"]],
  [["@api"], ["api1", "x.y"]],
  [["@w*"], ["web1", "web2", "web10"]],
  [["@*"], ["web1", "web2", "web10", "api1", "x.y"]],
])("%j is %j", (words, names) => {
  expect(select(...words)).toEqual(names);
});

test("words in any order give each node once, in the order of the file", () => {
  expect(select("x.y", "web2", "web*", "@api")).toEqual(["web1", "web2", "web10", "api1", "x.y"]);
});

test.each([
  ["web", 'no node of shop is "web"; near it: @web, web1, web2'],
  ["wbe1", 'no node of shop is "wbe1"; near it: web1'],
  ["@wbe", 'no node of shop is "@wbe"; near it: @web'],
  ["frontend", 'no node of shop is "frontend"; there are web1, web2, web10, api1, x.y, …'],
  ["xzy", 'no node of shop is "xzy"; near it: x.y'],
  ["WEB1", 'no node of shop is "WEB1"; near it: web1, web2'],
  ["web[1:2]", 'no node of shop is "web[1:2]"; there are web1'],
  ["web1 ", 'no node of shop is "web1 "; near it: web1'],
  ["web1\n", 'no node of shop is "web1\ufffd"; near it: web1'],
  ["we.1", 'no node of shop is "we.1"; near it: web1'],
  ["(web1|web2)", 'no node of shop is "(web1|web2)"'],
  ["@", 'no node of shop is "@"'],
  ["", 'no node of shop is ""'],
])("%j is no node, and what is near it is told", (word, problem) => {
  const error = errorOf(() => select("web1", word));
  expect(error.code).toBe("USAGE");
  expect(error.message).toContain(problem);
  expect(error.next).toBe("rota plan -i inventories/shop.yml, which shows every node");
});

test("every word that is no node is told", () => {
  expect(errorOf(() => select("web7", "web1", "lb*")).message.split("\n")).toHaveLength(2);
});

test("a glob of many stars takes no time", () => {
  const long = "1".repeat(250);
  const one = fleetOf(withNodes(`{ "${long}": h }`));
  expect(errorOf(() => selectNodes(one, [`${"*1".repeat(60)}x`])).code).toBe("USAGE");
  expect(selectNodes(one, ["*1".repeat(60)])).toHaveLength(1);
});
