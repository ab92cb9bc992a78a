import { randomBytes } from 'node:crypto';
import express, { Router } from 'express';
import session from 'express-session';

declare module 'express-session' {
  interface SessionData {
    hasPizza: boolean;
  }
}

/** Sessions with the cookie `pizza`, and the forms to log in and out. */
export function pizzaLogin(): Router {
  const router = Router();
  router.use(
    session({
      name: 'pizza',
      // Sessions live in memory, so the key need not outlive the process either.
      secret: randomBytes(32).toString('hex'),
      cookie: { sameSite: 'strict', secure: 'auto' },
      resave: false,
      saveUninitialized: false,
    }),
  );

  router.post('/login', express.urlencoded({ extended: false }), (request, response) => {
    const { topping }: { topping?: unknown } = request.body ?? {};
    if (topping !== 'basil') {
      response.status(403).type('text').send('No pizza with that. Go back and try basil.\n');
      return;
    }
    request.session.hasPizza = true;
    response.redirect(303, '/pizza.html');
  });

  router.post('/logout', (request, response, next) => {
    request.session.destroy((error) => {
      if (error) next(error);
      else response.clearCookie('pizza').redirect(303, '/pizza.html');
    });
  });
  return router;
}
