<?php
// SPDX-License-Identifier: ISC
// The protected half of the demo: who the user is, by the variables that
// `authorize` has set; and the session's cookie, to be tried again after a
// logout. No script can read that cookie, but a page on the server gets it.
declare(strict_types=1);

const COOKIE = '__Host-Http-session';

function shown(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

// Deny if the server's configuration is missing.
$subject = $_SERVER['SESSION_SUBJECT'] ?? '';
if ($subject === '') {
    http_response_code(403);
    header('Content-Type: text/plain; charset=utf-8');
    exit("This page is not protected: see doc/legacy.md\n");
}

$site = 'http://' . ($_SERVER['HTTP_HOST'] ?? 'localhost');
$page = $site . '/members/session.php';
$cookie = COOKIE . '=' . ($_COOKIE[COOKIE] ?? '');
$lines = 'cookie=' . escapeshellarg($cookie) . "\n"
    . "curl -s -o /dev/null -w '%{http_code}\\n' -b \"\$cookie\" " . escapeshellarg($page) . "\n"
    . "curl -s -b \"\$cookie\" " . escapeshellarg("$site/session") . '; echo';

header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: no-store');
header('X-Content-Type-Options: nosniff');
header('Referrer-Policy: same-origin');
// No scripts at all: one of them could read the cookie on this page.
header("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A protected page - Postern demo</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
</head>
<body>
<header class="banner">
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path class="wall" d="M2 30V8h4v3h4V8h4v3h4V8h4v3h4V8h4v22z"/>
    <path class="door" d="M10 30V20a6 6 0 0 1 12 0v10z"/>
  </svg>
  <h1>A protected page</h1>
</header>

<div class="columns">
<main id="main" tabindex="-1">
  <section class="card" aria-labelledby="copy-title">
    <h2 id="copy-title">Copy this cookie, log out, try it again</h2>
    <p>Your session is a cookie. No script can read it, but the server gets it with each request, and so can show it
      here. Whoever has a copy is logged in as you, until you log out.</p>
    <ol>
      <li><p>Copy these lines to a terminal. They send your cookie from there: <b>200</b>, and your name.</p>
        <pre id="lines" tabindex="0" aria-label="Lines for a terminal"><?= shown($lines) ?></pre></li>
      <li><p>Log out.</p>
        <form action="/logout" method="post"><button id="logout" type="submit">Log out</button></form></li>
      <li><p>Send the same lines again: <b>401</b>, and nobody. The store remembers that this session has ended.</p></li>
    </ol>
    <p class="quiet">Never show the cookie on a page of your own: a script on it could read it there. On this page, the
      Content-Security-Policy allows no script.</p>
  </section>
</main>

<aside aria-label="Your session">
  <section class="card" aria-labelledby="you-title">
    <h2 id="you-title">You, as PHP sees you</h2>
    <dl class="wide">
      <div><dt>SESSION_NAME</dt><dd id="name"><?= shown($_SERVER['SESSION_NAME'] ?? '') ?></dd></div>
      <div><dt>SESSION_SUBJECT</dt><dd id="subject"><?= shown($subject) ?></dd></div>
      <div><dt>SESSION_EXPIRES</dt><dd id="expires"><?= shown($_SERVER['SESSION_EXPIRES'] ?? '') ?></dd></div>
    </dl>
    <p class="quiet">Before lighttpd runs this page, it asks <code>authorize</code>, which sets these variables. A page
      needs nothing else; without a session it is not run.</p>
    <p><a href="/">Back to the demo</a></p>
  </section>
</aside>
</div>
</body>
</html>
