/**
 * Handlers come as classes or as object literals. A literal becomes a class of its own: its methods and accessors stand on
 * the prototype, its other properties are the fields that each instance begins with.
 */
import { invalidArgument } from '../errors.js';
import { WebSocketHandler } from '../handler.js';

export type HandlerClass = new () => WebSocketHandler;

const RULE =
  'it must be a class that extends WebSocketHandler, or an object with its hooks, such as { onRead(data) { … } }';

/** @throws TypeError for anything but a class that extends `WebSocketHandler` or an object */
export function handlerClass(handler: unknown): HandlerClass {
  if (isHandlerClass(handler)) return handler;
  if (typeof handler !== 'object' || handler === null || Array.isArray(handler)) {
    throw invalidArgument('handler', handler, RULE);
  }
  const methods: PropertyDescriptorMap = {};
  const fields: PropertyDescriptorMap = {};
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(handler))) {
    const isField = 'value' in descriptor && typeof descriptor.value !== 'function';
    // A frozen literal is no reason why its handlers could not change.
    const thawed = 'value' in descriptor ? { ...descriptor, configurable: true, writable: true } : descriptor;
    (isField ? fields : methods)[name] = thawed;
  }
  class LiteralHandler extends WebSocketHandler {
    constructor() {
      super();
      Object.defineProperties(this, fields);
    }
  }
  Object.defineProperties(LiteralHandler.prototype, methods);
  return LiteralHandler;
}

function isHandlerClass(handler: unknown): handler is HandlerClass {
  return typeof handler === 'function' && handler.prototype instanceof WebSocketHandler;
}
