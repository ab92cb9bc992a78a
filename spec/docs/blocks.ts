/** The code in the project's pages: where it is, and how to run it. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import express, { type Express } from 'express';
import * as library from '../../lib/index.js';

export const ROOT = join(__dirname, '..', '..');

export interface Block {
  /** `docs/how-to.md:17`, the line of the fence. */
  readonly at: string;
  readonly page: string;
  readonly language: 'js' | 'ts';
  /** The file's name, where the first line is a comment that gives it: `// echo.mjs`. */
  readonly name: string | undefined;
  readonly code: string;
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** README.md and all of docs/. */
export function allPages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => `docs/${name}`)];
}

/** The fenced `js` and `ts` blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readPage(page);
  return Array.from(text.matchAll(/^```(js|ts)\n(.*?)^```$/gms), ({ index, 1: language, 2: code = '' }) => ({
    at: `${page}:${text.slice(0, index).split('\n').length}`,
    page,
    language: language === 'ts' ? 'ts' : 'js',
    name: /^\/\/ (\S+\.m?[jt]s)$/m.exec(code.slice(0, code.indexOf('\n')))?.[1],
    code,
  }));
}

/** The block of that page whose first line names the file. */
export function program(page: string, name: string): Block {
  const found = blocksOf(page).find((block) => block.name === name);
  if (found === undefined) throw new Error(`${page} has no block that begins with "// ${name}"`);
  return found;
}

/** @throws for a syntax error, with the place in the page */
export function compile({ at, code }: Block): string {
  try {
    return transformSync(code, {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
      module: { type: 'commonjs' },
      isModule: true,
    }).code;
  } catch (error) {
    throw new Error(`${at} does not compile: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export interface Ran {
  readonly exports: Record<string, unknown>;
  /** The servers on which `listen` was called: they do not listen yet. */
  readonly servers: HttpServer[];
}

/**
 * Runs a block. `websocket-route` is this repository's `lib/`, `listen` only says which server it was called on, and names
 * in `scope` are there without an import.
 */
export function run(block: Block, scope: Readonly<Record<string, unknown>> = {}): Ran {
  const body = compile(block);
  const exports: Record<string, unknown> = {};
  const servers: HttpServer[] = [];
  const listen = jest.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server) {
    servers.push(this as HttpServer);
    return this;
  });
  // A subpath, too, is the one of this repository: the test runner knows where (jest.config.js).
  const load = (name: string): unknown => require(name);
  try {
    // In a block of its own, so that a program may declare what a recipe takes for granted.
    const program = new Function('require', 'exports', ...Object.keys(scope), `"use strict"; { ${body}\n }`);
    program(load, exports, ...Object.values(scope));
  } catch (error) {
    throw new Error(`${block.at} fails: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    listen.mockRestore();
  }
  return { exports, servers };
}

/** A recipe may use `express`, `app` and every public name without an import. */
export function namesTakenForGranted(app: Express): Record<string, unknown> {
  return { express, app, ...library };
}

/** An app with the recipe of that page that contains these words. */
export function recipe(page: string, words: string): Express {
  const app = express();
  const block = blocksOf(page).find(({ code }) => code.includes(words));
  if (block === undefined) throw new Error(`${page} has no recipe that contains ${words}`);
  run(block, namesTakenForGranted(app));
  return app;
}

/** Runs a block that starts one server. */
export function serverOf(block: Block): HttpServer {
  const [server, ...more] = run(block).servers;
  if (server === undefined || more.length > 0) throw new Error(`${block.at} must start one server`);
  return server;
}
