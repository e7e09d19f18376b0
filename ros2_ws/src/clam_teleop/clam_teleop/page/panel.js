// What the operator sees in the headset: one board in the room, drawn as text and picture on a canvas.

const WIDTH = 1024, HEIGHT = 640; // pixels
const HALF = [0.56, 0.35]; // [m]
const PLACE = [0, -0.15, -1.4]; // [m] from where the head was when the session began
const PERIOD = 100; // [ms] between two drawings
const COLOURS = { engaged: "#1d7a3c", released: "#245a8a", blocked: "#8a5a00", refused: "#9a2020", off: "#444" };

const VERTEX = `attribute vec2 corner; varying vec2 at; uniform mat4 projection, view; uniform vec2 half_size;
uniform vec3 place;
void main() { at = corner * vec2(0.5, -0.5) + 0.5;
  gl_Position = projection * view * vec4(place + vec3(corner * half_size, 0.0), 1.0); }`;
const FRAGMENT = `precision mediump float; varying vec2 at; uniform sampler2D board;
void main() { gl_FragColor = texture2D(board, at); }`;

export class Panel {
  constructor(gl) {
    this.gl = gl;
    this.canvas = new OffscreenCanvas(WIDTH, HEIGHT);
    this.drawnAt = -PERIOD;
    this.program = this.link(VERTEX, FRAGMENT);
    gl.useProgram(this.program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR); // of any size, without mipmaps
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    gl.uniform2fv(this.uniform("half_size"), HALF);
    gl.uniform3fv(this.uniform("place"), PLACE);
  }

  uniform(name) {
    return this.gl.getUniformLocation(this.program, name);
  }

  link(vertex, fragment) {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.bindAttribLocation(program, 0, "corner");
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }

  draw(layer, viewer, view, time) {
    const gl = this.gl;
    if (time - this.drawnAt >= PERIOD) {
      this.drawnAt = time;
      this.paint(this.canvas.getContext("2d"), view);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, this.canvas);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.clearColor(0, 0, 0, 0); // pass-through shows where nothing is drawn
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    for (const eye of viewer.views) {
      const { x, y, width, height } = layer.getViewport(eye);
      gl.viewport(x, y, width, height);
      gl.uniformMatrix4fv(this.uniform("projection"), false, eye.projectionMatrix);
      gl.uniformMatrix4fv(this.uniform("view"), false, eye.transform.inverse.matrix);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
  }

  paint(context, view) {
    context.fillStyle = "#15181c";
    context.fillRect(0, 0, WIDTH, HEIGHT);
    context.fillStyle = COLOURS[view.state];
    context.fillRect(0, 0, WIDTH, 110);
    context.fillStyle = "#fff";
    context.font = "bold 44px sans-serif";
    context.fillText(view.title, 24, 52, WIDTH - 48);
    context.font = "28px sans-serif";
    context.fillText(view.reason, 24, 94, WIDTH - 48);
    const picture = view.picture;
    const split = picture ? 420 : WIDTH;
    if (picture) {
      const height = Math.min(HEIGHT - 134, ((WIDTH - split - 24) * picture.naturalHeight) / picture.naturalWidth);
      context.drawImage(picture, split, 122, (height * picture.naturalWidth) / picture.naturalHeight, height);
    }
    let line = 158;
    for (const { name, text, level } of view.facts) {
      context.fillStyle = { warn: "#ffb84d", error: "#ff7a6b" }[level] ?? "#e8e8e8";
      for (const part of wrap(context, `${name}: ${text}`, split - 48)) {
        context.fillText(part, 24, line);
        line += 36;
      }
    }
  }
}

// `text` in lines of at most `width` pixels.
function wrap(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
