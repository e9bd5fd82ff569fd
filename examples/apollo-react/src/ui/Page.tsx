/** A page with its title, which gets the focus, so that who cannot see the page hears that it is another one. */

import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  notice?: string | undefined;
  children?: ReactNode;
}

export function Page({ title, notice, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = title;
    heading.current?.focus();
  }, [title]);
  return (
    <main>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {notice !== undefined && (
        <p role="status" className="notice">
          {notice}
        </p>
      )}
      {children}
    </main>
  );
}
