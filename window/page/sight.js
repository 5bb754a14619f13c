// Size of an element, and whether it is in sight: as the browser tells it, since to ask may cost a layout of the page.

const NEAR = "200px"; // what is so far out of sight is drawn nonetheless, so that scrolling finds it drawn

export class Sight {
  /** `changed` is called when the element has another size, and when it comes into sight. */
  constructor(element, changed) {
    this.inSight = true;
    this.measure(element);
    this.sizes = new ResizeObserver(() => {
      this.measure(element);
      changed();
    });
    this.crossings = new IntersectionObserver((entries) => {
      const came = entries.at(-1).isIntersecting && !this.inSight;
      this.inSight = entries.at(-1).isIntersecting;
      if (came) changed();
    }, { rootMargin: NEAR });
    this.sizes.observe(element);
    this.crossings.observe(element);
  }

  measure({ clientWidth, clientHeight }) {
    [this.width, this.height] = [clientWidth, clientHeight];
  }

  end() {
    this.sizes.disconnect();
    this.crossings.disconnect();
  }
}
