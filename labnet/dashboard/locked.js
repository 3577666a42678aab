"use strict";
// After a reload the page finds its token where it has left it. One that is not right any more is forgotten.
(() => {
  const token = sessionStorage.getItem("token");
  if (new URLSearchParams(location.search).has("token")) sessionStorage.removeItem("token");
  else if (token) location.replace(`/?token=${encodeURIComponent(token)}`);
})();
