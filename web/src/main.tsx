import { render } from 'preact';
import { App } from './app.js';
import { askAgainWhenSeen, askSession } from './sign-in.js';
import './styles.css';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no element #app');
render(<App />, root);
askAgainWhenSeen();
void askSession();
