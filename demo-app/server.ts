import { createApp } from './app.js';

const host = '127.0.0.1';
const { PORT: port = '8080' } = process.env;

createApp().listen(Number(port), host, (error) => {
  if (error) throw error;
  console.log(`http://${host}:${port}/`);
});
