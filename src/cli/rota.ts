#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { processIo } from "./io.ts";
import { main } from "./main.ts";

// On a large machine V8 lets garbage grow to several times of what is in use: 280 MB instead of 225 before 5,000 servers.
setFlagsFromString("--heap-growing-percent=100");

process.exitCode = await main(process.argv.slice(2), processIo());
